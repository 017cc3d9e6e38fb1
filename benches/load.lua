-- Sends signed callbacks, one after the other, from the file that CALLBACKS names:
-- lines of token, signature and body with tabs between them.
local callbacks = {}
for line in io.lines(os.getenv("CALLBACKS")) do
  local token, signature, body = line:match("([^\t]*)\t([^\t]*)\t(.*)")
  callbacks[#callbacks + 1] = { token, signature, body }
end

local at = 0

function request()
  at = at % #callbacks + 1
  local callback = callbacks[at]
  return wrk.format("POST", "/message-status", {
    ["Content-Type"] = "application/x-www-form-urlencoded",
    ["User-Agent"] = "TwilioProxy/1.1",
    ["I-Twilio-Idempotency-Token"] = callback[1],
    ["X-Twilio-Signature"] = callback[2],
    ["X-Home-Region"] = "us1",
    ["Accept"] = "*/*",
  }, callback[3])
end

function done(summary, latency, _)
  local at_ms = function(percentile) return latency:percentile(percentile) / 1e3 end
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"refused":%d,"failed":%d,' ..
    '"p50_ms":%.3f,"p90_ms":%.3f,"p99_ms":%.3f,"p99_9_ms":%.3f,"max_ms":%.3f}\n',
    summary.requests, summary.duration / 1e6, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    at_ms(50), at_ms(90), at_ms(99), at_ms(99.9), latency.max / 1e3))
end
