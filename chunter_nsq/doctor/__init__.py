"""``chunter doctor``: looks at everything an agent depends on, and says in words what is wrong and what to do."""
