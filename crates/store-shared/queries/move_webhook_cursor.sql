UPDATE webhook_cursor SET position = $1 WHERE id = 1
