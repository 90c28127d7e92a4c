DELETE FROM challenges WHERE id = $1
