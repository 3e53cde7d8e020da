#![no_main]
tmr_fuzz::target!(bundle);
