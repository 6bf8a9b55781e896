"""What a user without a checkout has: the packages of `make dist`, each in an environment of its own."""
