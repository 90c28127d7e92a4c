DELETE FROM challenges WHERE user_id = $1
