//! BotSpec to bot.js: lowering, emit, AST filter, artifacts.
