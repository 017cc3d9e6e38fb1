// Receives status callbacks from Twilio, or from a ledger that forwards them.
//
//     npm install express twilio
//     TWILIO_AUTH_TOKEN=… PORT=3000 node examples/receive/receive.mjs

import express from "express";
import twilio from "twilio";

const app = express();
app.use("/twilio/status", express.urlencoded({ extended: false }), twilio.webhook());

app.post("/twilio/status", (request, response) => {
  console.log(request.body.MessageSid, request.body.MessageStatus);
  response.sendStatus(204);
});

app.listen(process.env.PORT ?? 3000, "127.0.0.1");
