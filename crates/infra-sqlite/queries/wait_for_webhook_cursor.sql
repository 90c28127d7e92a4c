SELECT position FROM webhook_cursor
