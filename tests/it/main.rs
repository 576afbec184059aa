//! Integration tests: the real program as real processes, over real HTTP, on a real MariaDB, against the simulated Billz 2.
//!
//! Every test makes a database of its own on the server named by `TRADESYNC_TEST_SERVER` (`make test` starts one).
//! Start reading at [`support`]: a [`support::Stage`] is one shop, one simulated Billz and any number of service processes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs, reason = "a test may fail")]

mod support;

mod acceptance;
mod alerts;
mod api;
mod audit;
mod billz1;
mod bitrix24_otmechalka;
mod brakes;
mod check;
mod concurrency;
mod crash;
mod deciding_again;
mod dry_run;
mod explain;
mod fair;
mod faults;
mod first_sync;
mod goods;
mod kaktus_insales;
mod linking;
mod locks;
mod mapping;
mod okliving_onebox;
mod onebox_page;
mod openapi;
mod packets;
mod pictures;
mod plans;
mod reading;
mod real_pace;
mod requirement;
mod retention;
mod retry_list;
mod run_events;
mod schedules;
mod secrets;
mod sellers_at_once;
mod shop;
mod site_sales;
mod soak;
mod specials;
mod statements;
mod succession;
mod swagger;
mod undo;
mod undo_fields;
mod vanished;
mod variants;
