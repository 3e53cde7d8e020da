#![no_main]
tmr_fuzz::target!(licence_request);
