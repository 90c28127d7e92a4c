SELECT EXISTS (SELECT 1 FROM signing_keys) AS "any!: bool"
