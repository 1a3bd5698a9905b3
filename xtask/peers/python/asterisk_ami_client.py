"""PyPI: asterisk-ami."""

import sys
import time

from asterisk.ami import AMIClient
from meter import Meter

METER = Meter()
client = AMIClient(address="127.0.0.1", port=int(sys.argv[1]))
client.add_event_listener(on_event=lambda event, **_: METER.event(event.name))
client.login(username="u", secret="s")
while True:
    time.sleep(60)
