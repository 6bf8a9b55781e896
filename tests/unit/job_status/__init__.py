"""How the data of a queue becomes counts, jobs and errors."""
