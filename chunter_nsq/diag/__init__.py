"""``chunter diag``: one archive with what somebody far away needs to see what is wrong here, and no secret in it."""
