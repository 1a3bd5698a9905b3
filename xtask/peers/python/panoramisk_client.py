"""PyPI: panoramisk."""

import asyncio
import sys

from meter import Meter
from panoramisk import Manager

METER = Meter()
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
manager = Manager(loop=loop, host="127.0.0.1", port=int(sys.argv[1]), username="u", secret="s")
manager.register_event("*", lambda manager, message: METER.event(message.event))
manager.connect()
loop.run_forever()
