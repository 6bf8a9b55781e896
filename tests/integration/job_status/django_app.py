"""A Django application whose Celery tasks keep their results with django-celery-results.

    python -m tests.integration.job_status.django_app GROUP_ID   creates the tables, and enqueues a group

Its worker is `celery --app tests.integration.job_status.django_app worker`. The environment variable
QUEUE_BACKEND names its SQLite file.
"""

import os
import sys

import django
from celery import group
from celery.result import GroupResult
from django.conf import settings
from django.core.management import call_command

from tests.integration.job_status.celery_app import make_app

TASKS = ("fail", "fail_twice", "succeed", "succeed_at_third_attempt")

settings.configure(
    INSTALLED_APPS=["django_celery_results"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["QUEUE_BACKEND"]}},
    USE_TZ=True,
)
django.setup()
app = make_app(os.environ["QUEUE_BROKER"], "django-db")

if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    results = group([app.tasks[name].s().set(task_id=name) for name in TASKS]).apply_async().results
    GroupResult(sys.argv[1], [*results, app.AsyncResult("never-sent")], app=app).save()
