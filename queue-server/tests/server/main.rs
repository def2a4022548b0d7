//! The server as its callers see it: every call of the protocol over a real socket, against a real
//! server of its own for each test.

mod backup;
mod connections;
mod container;
mod durability;
mod durability_clock;
mod durability_compaction;
mod durability_formats;
mod durability_full_disk;
mod durability_refusals;
mod durability_spilled;
mod embedding;
mod encodings;
mod events;
mod handling;
mod harness;
mod items;
mod kuard;
mod leases;
mod limits;
mod operations;
mod outcomes;
mod problems;
mod process;
mod queues;
mod raw_leases;
mod settling;
mod waiting;
