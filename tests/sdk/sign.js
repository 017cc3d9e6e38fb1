// Signs with Twilio's SDK for Node: requests as JSON on stdin, signatures as JSON on stdout.
// The argument is the folder in which the SDK has been installed.

const fs = require("fs");
const path = require("path");

const twilio = require(path.resolve(process.argv[2], "node_modules", "twilio"));

const requests = JSON.parse(fs.readFileSync(0, "utf-8"));
const signatures = requests.map(({ token, url, parameters }) =>
  twilio.getExpectedTwilioSignature(token, url, parameters),
);
process.stdout.write(JSON.stringify(signatures));
