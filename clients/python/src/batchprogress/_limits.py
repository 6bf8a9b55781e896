"""The limits of the contract that the command line, the calls and the server in memory check alike."""

import re

IDENTIFIER = re.compile(r"[\x21-\x7e]{1,128}")
"""A batch_id or a job_id."""
IDENTIFIER_RULE = "1 to 128 printable ASCII characters without spaces"
JOBS_MAX = 1_000_000_000
"""The jobs of a batch."""
FAILED_PERCENT_MAX = 99
"""A failure limit of 100 % would never be exceeded."""
ATTEMPT_MAX = 2**31 - 1
"""An int32."""
PAGE_SIZE_MAX = 1_000
"""The items of a page; a larger page_size counts as this one."""
