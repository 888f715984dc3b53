"""The service: settings, answers, the HTTP API and the command line."""
