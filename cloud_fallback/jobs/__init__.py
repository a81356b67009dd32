"""Videos that people upload, counted as durable jobs: tables, uploads, queue, workers, routes."""
