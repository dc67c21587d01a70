"""Asks for data of the hub, one address after the other, and prints why each is refused."""

from __future__ import annotations

import sys

from shared.errors import InputError
from shared.images.stores import local_data

for address in sys.argv[1:]:
    try:
        print(local_data(address))
    except InputError as error:
        print(error)
