"""What comes in and what goes out: schemas, frozen values, CloudEvents."""
