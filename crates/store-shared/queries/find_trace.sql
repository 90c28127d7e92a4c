SELECT parent FROM traces WHERE cause_id = $1
