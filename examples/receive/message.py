"""Receives messages from a ledger that forwards them with `format = "message"`, signed as Standard Webhooks.

    pip install flask standardwebhooks
    WEBHOOK_SECRET=whsec_… flask --app examples/receive/message.py run --port 3000
"""

import os

from flask import Flask, abort, request
from standardwebhooks import Webhook, WebhookVerificationError

app = Flask(__name__)
webhook = Webhook(os.environ["WEBHOOK_SECRET"])


@app.post("/messages")
def receive():
    try:
        message = webhook.verify(request.get_data(), dict(request.headers))
    except WebhookVerificationError:
        abort(403)
    print(message["message_sid"], message["status"], flush=True)
    return "", 204
