BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0028');
CREATE TABLE attempt_tallies (
	campaign_id INTEGER NOT NULL, 
	model TEXT NOT NULL, 
	key_fingerprint TEXT NOT NULL, 
	outcome TEXT NOT NULL, 
	ending TEXT NOT NULL, 
	form TEXT NOT NULL, 
	rejection TEXT NOT NULL, 
	drafts INTEGER NOT NULL, 
	second_opinion INTEGER NOT NULL, 
	requests INTEGER NOT NULL, 
	PRIMARY KEY (campaign_id, model, key_fingerprint, outcome, ending, form, rejection, drafts, second_opinion)
)
 WITHOUT ROWID

;
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
	thought_tokens INTEGER NOT NULL, ending TEXT DEFAULT '' NOT NULL, form TEXT DEFAULT '' NOT NULL, rejection TEXT DEFAULT '' NOT NULL, drafts INTEGER DEFAULT '0' NOT NULL, question TEXT, annotator TEXT DEFAULT 'gemini' NOT NULL, model_version TEXT DEFAULT '' NOT NULL, model_stage TEXT DEFAULT '' NOT NULL, retires_at FLOAT, cached_tokens INTEGER DEFAULT '0' NOT NULL, image_tokens INTEGER DEFAULT '0' NOT NULL, characters INTEGER DEFAULT '0' NOT NULL, longest_px INTEGER DEFAULT '0' NOT NULL, thinking TEXT DEFAULT '' NOT NULL, image_detail TEXT DEFAULT '' NOT NULL, tier TEXT DEFAULT 'standard' NOT NULL, canary_day TEXT, views TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE batch_jobs (
	id INTEGER NOT NULL, 
	campaign_id INTEGER NOT NULL, 
	display_name TEXT NOT NULL, 
	key_fingerprint TEXT NOT NULL, 
	project TEXT NOT NULL, 
	model TEXT NOT NULL, 
	state TEXT NOT NULL, 
	file_name TEXT NOT NULL, 
	job_name TEXT NOT NULL, 
	results_file TEXT NOT NULL, 
	error TEXT NOT NULL, 
	requests INTEGER NOT NULL, 
	answered INTEGER NOT NULL, 
	created_at FLOAT NOT NULL, 
	updated_at FLOAT NOT NULL, 
	ended_at FLOAT, 
	PRIMARY KEY (id), 
	UNIQUE (display_name)
);
CREATE TABLE batch_requests (
	attempt_id INTEGER NOT NULL, 
	job_id INTEGER NOT NULL, 
	campaign_id INTEGER NOT NULL, 
	item_id INTEGER NOT NULL, 
	question TEXT, 
	own_id TEXT NOT NULL, 
	PRIMARY KEY (attempt_id)
);
CREATE TABLE campaigns (
	id INTEGER NOT NULL, 
	annotator TEXT NOT NULL, 
	models TEXT NOT NULL, 
	prompt_version TEXT NOT NULL, 
	questions INTEGER NOT NULL, 
	created_at FLOAT NOT NULL, 
	shuffle_seed INTEGER, budget_usd FLOAT, budget_tokens INTEGER, canaries INTEGER DEFAULT '0' NOT NULL, prompts TEXT DEFAULT '[]' NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (prompt_version, questions)
);
CREATE TABLE canaries (
	campaign_id INTEGER NOT NULL, 
	place INTEGER NOT NULL, 
	item_id INTEGER NOT NULL, 
	question TEXT NOT NULL, 
	PRIMARY KEY (campaign_id, place), 
	UNIQUE (campaign_id, item_id)
)
 WITHOUT ROWID

;
CREATE TABLE canary_answers (
	campaign_id INTEGER NOT NULL, 
	model TEXT NOT NULL, 
	day TEXT NOT NULL, 
	item_id INTEGER NOT NULL, 
	question TEXT NOT NULL, 
	state INTEGER NOT NULL, 
	attempts INTEGER NOT NULL, 
	reason TEXT NOT NULL, 
	answer TEXT NOT NULL, 
	is_equal INTEGER, 
	model_version TEXT NOT NULL, 
	finished_at FLOAT NOT NULL, 
	PRIMARY KEY (campaign_id, model, day, item_id)
)
 WITHOUT ROWID

;
CREATE TABLE items (
	id INTEGER NOT NULL, 
	listing_id TEXT NOT NULL, 
	image_id TEXT NOT NULL, 
	image_path TEXT NOT NULL, 
	metadata TEXT NOT NULL, product TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (image_path)
);
CREATE TABLE keys (
	fingerprint TEXT NOT NULL, 
	label TEXT NOT NULL, 
	project TEXT NOT NULL, 
	removed_because TEXT NOT NULL, 
	updated_at FLOAT NOT NULL, rpm INTEGER, tpm INTEGER, rpd INTEGER, failed_for_good INTEGER DEFAULT '0' NOT NULL, 
	PRIMARY KEY (fingerprint)
);
CREATE TABLE learned_limits (
	project TEXT NOT NULL, 
	model TEXT NOT NULL, 
	name TEXT NOT NULL, 
	value INTEGER NOT NULL, 
	stated INTEGER, 
	learned_at FLOAT NOT NULL, 
	PRIMARY KEY (project, model, name)
)
 WITHOUT ROWID

;
CREATE TABLE looks (
	item_id INTEGER NOT NULL, 
	hash INTEGER, 
	thumbnail BLOB, 
	PRIMARY KEY (item_id)
);
CREATE TABLE model_forms (
	annotator TEXT NOT NULL, 
	model TEXT NOT NULL, 
	form TEXT NOT NULL, 
	told_at FLOAT NOT NULL, 
	PRIMARY KEY (annotator, model)
)
 WITHOUT ROWID

;
CREATE TABLE model_settings (
	annotator TEXT NOT NULL, 
	model TEXT NOT NULL, 
	setting TEXT NOT NULL, 
	told_at FLOAT NOT NULL, 
	PRIMARY KEY (annotator, model, setting)
)
 WITHOUT ROWID

;
CREATE TABLE model_tallies (
	campaign_id INTEGER NOT NULL, 
	model TEXT NOT NULL, 
	model_version TEXT NOT NULL, 
	model_stage TEXT NOT NULL, 
	retires_at FLOAT NOT NULL, 
	replies INTEGER NOT NULL, 
	latest_attempt INTEGER NOT NULL, 
	PRIMARY KEY (campaign_id, model, model_version, model_stage, retires_at)
)
 WITHOUT ROWID

;
CREATE TABLE opinion_tallies (
	campaign_id INTEGER NOT NULL, 
	state INTEGER NOT NULL, 
	agrees INTEGER NOT NULL, 
	pairs INTEGER NOT NULL, 
	PRIMARY KEY (campaign_id, state, agrees)
)
 WITHOUT ROWID

;
CREATE TABLE other_listings (
	item_id INTEGER NOT NULL, 
	listing_id TEXT NOT NULL, 
	product TEXT NOT NULL, 
	PRIMARY KEY (item_id, listing_id)
)
 WITHOUT ROWID

;
CREATE TABLE pair_tallies (
	campaign_id INTEGER NOT NULL, 
	rule TEXT NOT NULL, 
	model TEXT NOT NULL, 
	pairs INTEGER NOT NULL, 
	PRIMARY KEY (campaign_id, rule, model)
)
 WITHOUT ROWID

;
CREATE TABLE pairs (
	campaign_id INTEGER NOT NULL, 
	item_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	question TEXT NOT NULL, 
	answer TEXT NOT NULL, 
	difficulty TEXT NOT NULL, agreement TEXT DEFAULT '' NOT NULL, attempt_id INTEGER DEFAULT '0' NOT NULL, style TEXT DEFAULT '' NOT NULL, fields TEXT, 
	PRIMARY KEY (campaign_id, item_id, position)
)
 WITHOUT ROWID

;
CREATE TABLE projects (
	project TEXT NOT NULL, 
	model TEXT NOT NULL, 
	blocked_until FLOAT NOT NULL, 
	blocked_window TEXT NOT NULL, 
	probe_at FLOAT, 
	updated_at FLOAT NOT NULL, refused_because TEXT DEFAULT '' NOT NULL, 
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
CREATE TABLE replies (
	attempt_id INTEGER NOT NULL, 
	body BLOB NOT NULL, 
	PRIMARY KEY (attempt_id)
);
CREATE TABLE review_leases (
	item_id INTEGER NOT NULL, 
	question TEXT NOT NULL, 
	answer TEXT NOT NULL, 
	reviewer TEXT NOT NULL, 
	expires_at FLOAT NOT NULL, 
	drawn TEXT NOT NULL, 
	drawn_seed INTEGER NOT NULL, 
	position FLOAT NOT NULL, 
	PRIMARY KEY (item_id, question, answer, reviewer)
)
 WITHOUT ROWID

;
CREATE TABLE reviews (
	item_id INTEGER NOT NULL, 
	question TEXT NOT NULL, 
	answer TEXT NOT NULL, 
	reviewer TEXT NOT NULL, 
	decision TEXT NOT NULL, 
	correction TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	decided_at FLOAT NOT NULL, 
	drawn TEXT NOT NULL, 
	drawn_seed INTEGER NOT NULL, 
	position FLOAT NOT NULL, 
	PRIMARY KEY (item_id, question, answer, reviewer)
)
 WITHOUT ROWID

;
CREATE TABLE second_opinions (
	campaign_id INTEGER NOT NULL, 
	item_id INTEGER NOT NULL, 
	question TEXT NOT NULL, 
	state INTEGER NOT NULL, 
	attempts INTEGER NOT NULL, 
	reason TEXT NOT NULL, 
	answer TEXT NOT NULL, 
	agrees INTEGER NOT NULL, 
	finished_at FLOAT, 
	PRIMARY KEY (campaign_id, item_id, question)
)
 WITHOUT ROWID

;
CREATE TABLE sources (
	path TEXT NOT NULL, 
	fingerprint TEXT, 
	images_dir TEXT NOT NULL, 
	imported_at FLOAT NOT NULL, left_out TEXT, 
	PRIMARY KEY (path)
);
CREATE TABLE token_tallies (
	campaign_id INTEGER NOT NULL, 
	model TEXT NOT NULL, 
	model_version TEXT NOT NULL, 
	tier TEXT NOT NULL, 
	input_tokens INTEGER NOT NULL, 
	output_tokens INTEGER NOT NULL, 
	thought_tokens INTEGER NOT NULL, 
	cached_tokens INTEGER NOT NULL, 
	image_tokens INTEGER NOT NULL, 
	PRIMARY KEY (campaign_id, model, model_version, tier)
)
 WITHOUT ROWID

;
CREATE TABLE work (
	campaign_id INTEGER NOT NULL, 
	item_id INTEGER NOT NULL, 
	state INTEGER NOT NULL, 
	attempts INTEGER NOT NULL, 
	reason TEXT NOT NULL, 
	finished_at FLOAT, rank INTEGER DEFAULT '0' NOT NULL, asked_with INTEGER, 
	PRIMARY KEY (campaign_id, item_id)
)
 WITHOUT ROWID

;
CREATE TABLE work_tallies (
	campaign_id INTEGER NOT NULL, 
	state INTEGER NOT NULL, 
	items INTEGER NOT NULL, 
	PRIMARY KEY (campaign_id, state)
)
 WITHOUT ROWID

;
CREATE INDEX attempts_by_campaign ON attempts (campaign_id, finished_at);
CREATE INDEX rejected_by_rule ON rejected_pairs (campaign_id, rule);
CREATE INDEX rejected_by_item ON rejected_pairs (campaign_id, item_id);
CREATE INDEX opinions_by_state ON second_opinions (campaign_id, state, item_id);
CREATE INDEX work_by_state ON work (campaign_id, state, rank);
CREATE TRIGGER work_added AFTER INSERT ON work BEGIN INSERT INTO work_tallies VALUES (NEW.campaign_id, NEW.state, 1) ON CONFLICT DO UPDATE SET items = items + 1; END;
CREATE TRIGGER work_left AFTER DELETE ON work BEGIN UPDATE work_tallies SET items = items - 1 WHERE campaign_id = OLD.campaign_id AND state = OLD.state; END;
CREATE TRIGGER work_changed AFTER UPDATE OF state ON work WHEN OLD.state != NEW.state BEGIN UPDATE work_tallies SET items = items - 1 WHERE campaign_id = OLD.campaign_id AND state = OLD.state; INSERT INTO work_tallies VALUES (NEW.campaign_id, NEW.state, 1) ON CONFLICT DO UPDATE SET items = items + 1; END;
CREATE TRIGGER opinion_added AFTER INSERT ON second_opinions BEGIN INSERT INTO opinion_tallies SELECT NEW.campaign_id, NEW.state, NEW.agrees, 1 FROM pairs WHERE (campaign_id, item_id, question) = (NEW.campaign_id, NEW.item_id, NEW.question) ON CONFLICT DO UPDATE SET pairs = pairs + 1; END;
CREATE TRIGGER opinion_left AFTER DELETE ON second_opinions BEGIN UPDATE opinion_tallies SET pairs = pairs - (SELECT count(*) FROM pairs WHERE (campaign_id, item_id, question) = (OLD.campaign_id, OLD.item_id, OLD.question)) WHERE (campaign_id, state, agrees) = (OLD.campaign_id, OLD.state, OLD.agrees); END;
CREATE TRIGGER opinion_changed AFTER UPDATE OF state, agrees ON second_opinions BEGIN UPDATE opinion_tallies SET pairs = pairs - (SELECT count(*) FROM pairs WHERE (campaign_id, item_id, question) = (OLD.campaign_id, OLD.item_id, OLD.question)) WHERE (campaign_id, state, agrees) = (OLD.campaign_id, OLD.state, OLD.agrees);INSERT INTO opinion_tallies SELECT NEW.campaign_id, NEW.state, NEW.agrees, 1 FROM pairs WHERE (campaign_id, item_id, question) = (NEW.campaign_id, NEW.item_id, NEW.question) ON CONFLICT DO UPDATE SET pairs = pairs + 1; END;
CREATE TRIGGER pair_of_opinion_left AFTER DELETE ON pairs BEGIN UPDATE opinion_tallies SET pairs = pairs - 1 WHERE (campaign_id, state, agrees) = (SELECT campaign_id, state, agrees FROM second_opinions WHERE (campaign_id, item_id, question) = (OLD.campaign_id, OLD.item_id, OLD.question)); END;
CREATE TRIGGER pairs_left AFTER DELETE ON pairs BEGIN UPDATE pair_tallies SET pairs = pairs - 1 WHERE (campaign_id, rule, model) = (OLD.campaign_id, '', coalesce((SELECT iif(model_version = '', model, model_version) FROM attempts WHERE id = OLD.attempt_id), '')); END;
CREATE TRIGGER rejected_pairs_added AFTER INSERT ON rejected_pairs BEGIN INSERT INTO pair_tallies VALUES (NEW.campaign_id, NEW.rule, coalesce((SELECT iif(model_version = '', model, model_version) FROM attempts WHERE id = NEW.attempt_id), ''), 1) ON CONFLICT DO UPDATE SET pairs = pairs + 1; END;
CREATE TRIGGER rejected_pairs_left AFTER DELETE ON rejected_pairs BEGIN UPDATE pair_tallies SET pairs = pairs - 1 WHERE (campaign_id, rule, model) = (OLD.campaign_id, OLD.rule, coalesce((SELECT iif(model_version = '', model, model_version) FROM attempts WHERE id = OLD.attempt_id), '')); END;
CREATE TRIGGER model_told AFTER UPDATE OF model_version ON attempts WHEN NEW.model_version != '' OR OLD.model_version != '' BEGIN UPDATE model_tallies SET replies = replies - 1 WHERE OLD.model_version != '' AND (campaign_id, model, model_version, model_stage, retires_at) = (OLD.campaign_id, OLD.model, OLD.model_version, OLD.model_stage, coalesce(OLD.retires_at, 0.0)); INSERT INTO model_tallies SELECT NEW.campaign_id, NEW.model, NEW.model_version, NEW.model_stage, coalesce(NEW.retires_at, 0.0), 1, NEW.id WHERE NEW.model_version != '' ON CONFLICT DO UPDATE SET replies = replies + 1, latest_attempt = max(latest_attempt, excluded.latest_attempt); END;
CREATE TRIGGER attempt_begun AFTER INSERT ON attempts BEGIN INSERT INTO attempt_tallies (campaign_id, model, key_fingerprint, outcome, ending, form, rejection, drafts, second_opinion, requests) VALUES (NEW.campaign_id, NEW.model, NEW.key_fingerprint, NEW.outcome, NEW.ending, NEW.form, NEW.rejection, NEW.drafts, NEW.question IS NOT NULL, 1) ON CONFLICT DO UPDATE SET requests = requests + 1; END;
CREATE TRIGGER attempt_left AFTER DELETE ON attempts BEGIN UPDATE attempt_tallies SET requests = requests - 1 WHERE (campaign_id, model, key_fingerprint, outcome, ending, form, rejection, drafts, second_opinion) = (OLD.campaign_id, OLD.model, OLD.key_fingerprint, OLD.outcome, OLD.ending, OLD.form, OLD.rejection, OLD.drafts, OLD.question IS NOT NULL); END;
CREATE TRIGGER attempt_changed AFTER UPDATE ON attempts BEGIN UPDATE attempt_tallies SET requests = requests - 1 WHERE (campaign_id, model, key_fingerprint, outcome, ending, form, rejection, drafts, second_opinion) = (OLD.campaign_id, OLD.model, OLD.key_fingerprint, OLD.outcome, OLD.ending, OLD.form, OLD.rejection, OLD.drafts, OLD.question IS NOT NULL); INSERT INTO attempt_tallies (campaign_id, model, key_fingerprint, outcome, ending, form, rejection, drafts, second_opinion, requests) VALUES (NEW.campaign_id, NEW.model, NEW.key_fingerprint, NEW.outcome, NEW.ending, NEW.form, NEW.rejection, NEW.drafts, NEW.question IS NOT NULL, 1) ON CONFLICT DO UPDATE SET requests = requests + 1; END;
CREATE TRIGGER tokens_counted AFTER UPDATE OF input_tokens, output_tokens, thought_tokens, cached_tokens, image_tokens ON attempts WHEN NEW.input_tokens + NEW.output_tokens + NEW.thought_tokens > 0 OR OLD.input_tokens + OLD.output_tokens + OLD.thought_tokens > 0 BEGIN UPDATE token_tallies SET input_tokens = input_tokens - OLD.input_tokens, output_tokens = output_tokens - OLD.output_tokens, thought_tokens = thought_tokens - OLD.thought_tokens, cached_tokens = cached_tokens - OLD.cached_tokens, image_tokens = image_tokens - OLD.image_tokens WHERE (campaign_id, model, model_version, tier) = (OLD.campaign_id, OLD.model, OLD.model_version, OLD.tier); INSERT INTO token_tallies VALUES (NEW.campaign_id, NEW.model, NEW.model_version, NEW.tier, NEW.input_tokens, NEW.output_tokens, NEW.thought_tokens, NEW.cached_tokens, NEW.image_tokens) ON CONFLICT DO UPDATE SET input_tokens = input_tokens + excluded.input_tokens, output_tokens = output_tokens + excluded.output_tokens, thought_tokens = thought_tokens + excluded.thought_tokens, cached_tokens = cached_tokens + excluded.cached_tokens, image_tokens = image_tokens + excluded.image_tokens; END;
CREATE INDEX jobs_by_state ON batch_jobs (campaign_id, state);
CREATE INDEX requests_by_item ON batch_requests (campaign_id, item_id);
CREATE INDEX requests_by_job ON batch_requests (job_id);
CREATE INDEX attempts_by_project ON attempts (model, project, started_at, tier);
CREATE INDEX reviews_by_reviewer ON reviews (reviewer, decided_at);
CREATE INDEX work_along ON work (asked_with) WHERE asked_with IS NOT NULL;
COMMIT;
