// The usual Node.js server for status callbacks: Express, Twilio's middleware, better-sqlite3.
'use strict';

const Database = require('better-sqlite3');
const express = require('express');
const twilio = require('twilio');

const [port, file, url, token] = process.argv.slice(2);

const database = new Database(file);
database.pragma('journal_mode = WAL');
database.pragma('synchronous = FULL');
database.exec(`
  CREATE TABLE IF NOT EXISTS events(id INTEGER PRIMARY KEY, sid TEXT, body TEXT);
  CREATE TABLE IF NOT EXISTS messages(sid TEXT PRIMARY KEY, status TEXT);
`);
const addEvent = database.prepare('INSERT INTO events(sid, body) VALUES (?, ?)');
const setStatus = database.prepare('INSERT OR REPLACE INTO messages(sid, status) VALUES (?, ?)');
const record = database.transaction((callback) => {
  addEvent.run(callback.MessageSid, JSON.stringify(callback));
  setStatus.run(callback.MessageSid, callback.MessageStatus);
});

const app = express();
app.disable('x-powered-by');
app.use(express.urlencoded({ extended: false, limit: '64kb' }));
app.post('/message-status', twilio.webhook(token, { url }), (request, response) => {
  record(request.body);
  response.status(200).type('text/plain').end();
});
app.listen(Number(port), '127.0.0.1');
