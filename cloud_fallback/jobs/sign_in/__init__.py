"""How people sign in: passwords, sessions, links by e-mail, API keys, and limits on guessing."""
