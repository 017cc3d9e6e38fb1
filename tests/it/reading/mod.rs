//! Reading over HTTP: messages, events, exports and jobs, and the commands that show the same.

mod account_names;
mod admin;
mod compression;
mod events;
mod exports;
mod find;
mod jobs;
mod lists;
mod numbers;
mod openapi;
mod stream;
mod times;
