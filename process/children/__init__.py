"""One program in several processes: a parent that starts children, and starts those that die again."""
