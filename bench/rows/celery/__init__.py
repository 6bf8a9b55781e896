"""A Celery group watched through our server, beside the group polled for its own count."""
