"""Receives status callbacks from Twilio, or from a ledger that forwards them.

    pip install flask twilio
    TWILIO_AUTH_TOKEN=… flask --app examples/receive/receive.py run --port 3000
"""

import os

from flask import Flask, abort, request
from twilio.request_validator import RequestValidator

app = Flask(__name__)
validator = RequestValidator(os.environ["TWILIO_AUTH_TOKEN"])


@app.post("/twilio/status")
def receive():
    if not validator.validate(request.url, request.form, request.headers.get("X-Twilio-Signature", "")):
        abort(403)
    print(request.form.get("MessageSid"), request.form.get("MessageStatus"), flush=True)
    return "", 204
