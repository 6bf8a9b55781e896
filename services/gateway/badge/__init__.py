"""The badge of a batch: a small picture for wikis and other pages without scripts."""
