-- Nothing changes here: events get their positions with the commit, and there is one node. The file is there so that
-- both databases have the same migrations.
SELECT 1;
