"""List the directories named on the command line, and nothing more: the least that any tool could do."""

import os
import sys

count = 0
for directory in sys.argv[1:]:
    with os.scandir(directory) as entries:
        for _ in entries:
            count += 1
print(count)
