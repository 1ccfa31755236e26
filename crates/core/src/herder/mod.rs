//! The herder: every decision about what runs on a worker and what a request may do.
//!
//! Answers to `DistributedHerder` and `StandaloneHerder` (spec `distributed.md` 2.7 to 2.12, 6;
//! `rest-and-config.md` 13). It never blocks: what takes time is an effect with a token, and its outcome an input.
