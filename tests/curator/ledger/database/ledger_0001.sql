-- A ledger as the first release left it: one of two items is done.
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE attempts (
	id INTEGER NOT NULL, 
	campaign_id INTEGER NOT NULL, 
	item_id INTEGER NOT NULL, 
	key_fingerprint TEXT NOT NULL, 
	project TEXT NOT NULL, 
	model TEXT NOT NULL, 
	started_at FLOAT NOT NULL, 
	reserved_tokens INTEGER NOT NULL, 
	finished_at FLOAT, 
	outcome TEXT NOT NULL, 
	detail TEXT NOT NULL, 
	input_tokens INTEGER NOT NULL, 
	output_tokens INTEGER NOT NULL, 
	thought_tokens INTEGER NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "attempts" VALUES(1,1,1,'fp','p','gemini-x',5.0,100,6.0,'answered','',90,40,3);
CREATE TABLE campaigns (
	id INTEGER NOT NULL, 
	model TEXT NOT NULL, 
	prompt_version TEXT NOT NULL, 
	questions INTEGER NOT NULL, 
	created_at FLOAT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (model, prompt_version, questions)
);
INSERT INTO "campaigns" VALUES(1,'gemini-x','1-abc',3,1.0);
CREATE TABLE items (
	id INTEGER NOT NULL, 
	listing_id TEXT NOT NULL, 
	image_id TEXT NOT NULL, 
	image_path TEXT NOT NULL, 
	metadata TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (image_path)
);
INSERT INTO "items" VALUES(1,'L0','i0','0.jpg','{"item_name": "thing 0"}');
INSERT INTO "items" VALUES(2,'L1','i1','1.jpg','{"item_name": "thing 1"}');
CREATE TABLE keys (
	fingerprint TEXT NOT NULL, 
	label TEXT NOT NULL, 
	project TEXT NOT NULL, 
	removed_because TEXT NOT NULL, 
	updated_at FLOAT NOT NULL, 
	PRIMARY KEY (fingerprint)
);
INSERT INTO "keys" VALUES('23c10d49f6a1b378','key-1','p','',1.0);
CREATE TABLE pairs (
	campaign_id INTEGER NOT NULL, 
	item_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	question TEXT NOT NULL, 
	answer TEXT NOT NULL, 
	difficulty TEXT NOT NULL, 
	PRIMARY KEY (campaign_id, item_id, position)
)
 WITHOUT ROWID

;
INSERT INTO "pairs" VALUES(1,1,0,'What is the colour of it?','red','easy');
INSERT INTO "pairs" VALUES(1,1,1,'What is it made of?','wood','hard');
CREATE TABLE projects (
	project TEXT NOT NULL, 
	model TEXT NOT NULL, 
	blocked_until FLOAT NOT NULL, 
	blocked_window TEXT NOT NULL, 
	probe_at FLOAT, 
	learned_rpm INTEGER, 
	learned_tpm INTEGER, 
	learned_rpd INTEGER, 
	updated_at FLOAT NOT NULL, 
	PRIMARY KEY (project, model)
);
CREATE TABLE rejected_pairs (
	id INTEGER NOT NULL, 
	campaign_id INTEGER NOT NULL, 
	item_id INTEGER NOT NULL, 
	attempt_id INTEGER NOT NULL, 
	rule TEXT NOT NULL, 
	question TEXT NOT NULL, 
	answer TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "rejected_pairs" VALUES(1,1,1,1,'answer_in_question','Is it red or blue in here?','red');
CREATE TABLE replies (
	attempt_id INTEGER NOT NULL, 
	body BLOB NOT NULL, 
	PRIMARY KEY (attempt_id)
);
INSERT INTO "replies" VALUES(1,X'7801AB562A4A2C57B252502A4A2DC8A954AA05002BED0551');
CREATE TABLE sources (
	path TEXT NOT NULL, 
	fingerprint TEXT, 
	images_dir TEXT NOT NULL, 
	imported_at FLOAT NOT NULL, 
	PRIMARY KEY (path)
);
INSERT INTO "sources" VALUES('src','f1','images',1.0);
CREATE TABLE work (
	campaign_id INTEGER NOT NULL, 
	item_id INTEGER NOT NULL, 
	state INTEGER NOT NULL, 
	attempts INTEGER NOT NULL, 
	reason TEXT NOT NULL, 
	finished_at FLOAT, 
	PRIMARY KEY (campaign_id, item_id)
)
 WITHOUT ROWID

;
INSERT INTO "work" VALUES(1,1,1,0,'',6.0);
INSERT INTO "work" VALUES(1,2,0,0,'',NULL);
CREATE INDEX work_by_state ON work (campaign_id, state, item_id);
CREATE INDEX attempts_by_project ON attempts (model, project, started_at);
CREATE INDEX attempts_by_campaign ON attempts (campaign_id, finished_at);
CREATE INDEX rejected_by_rule ON rejected_pairs (campaign_id, rule);
COMMIT;
