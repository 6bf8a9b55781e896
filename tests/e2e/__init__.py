"""The product as users run it: processes, queues, browsers, many workers."""
