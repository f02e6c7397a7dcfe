//! bot.js to a live revision: pure state machine, idempotent steps, sweeper.
