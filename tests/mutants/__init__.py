"""Changes of behaviour that tests must notice: each is made in a copy of the tree, and its test must fail."""
