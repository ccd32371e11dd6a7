// The fall of a state is found from the fall of the state before it, along falls of shorter ones. Each place lies
// anywhere in memory, and is known only when the one before was read: that is what it costs. But the forms of values are
// much alike, so that the same steps are made again and again; those made last are remembered, and mostly nothing else
// is read. A few chains go on in turns, so that they wait for memory together. More would not pay: where chains take
// turns the processor cannot foretell what each does next.
#include "redact/matcher_falls.h"

#define CURSORS 4
#define CURSOR_AHEAD 24 // states: the memory of three cache lines
#define STEP_BITS_MIN 8
#define STEP_BITS_MAX 16    // 1 MiB: what still stays in a second-level cache
#define STEP_USED ((uint64_t)1 << 63) // in a key, which is never 0 then
// fall_step.info: the output of the suffix, and these.
#define STEP_SHALLOW 0x80000000u // the fall is a state of at most SHALLOW_MAX bytes
#define STEP_ENDS 0x40000000u    // it is a longer one, and has the flag `ends`

void falls_layout(struct fall_work *work, size_t chain_count, size_t label_count, uint8_t *base, size_t *used)
{
	work->step_bits = bits_for(label_count / 32, STEP_BITS_MIN, STEP_BITS_MAX);
	work->next = layout_take(base, used, chain_count, sizeof(*work->next));
	work->waits = layout_take(base, used, chain_count + 1, sizeof(*work->waits));
	work->steps = layout_take(base, used, (size_t)1 << work->step_bits, sizeof(*work->steps));
}

static uint32_t chain_parent(const struct matcher *m, uint32_t chain, uint32_t state)
{
	const struct matcher_chain *c = &m->chains[chain];
	return state == c->base + c->first ? c->parent : state - 1;
}

// `state` is never a leaf: falls lead around them.
static uint32_t step_from(const struct matcher *m, uint32_t state, uint8_t byte)
{
	uint32_t child;
	while ((child = state_child(m, state, byte)) == 0 && state != MATCHER_START)
		state = m->states[state].fall;
	return child;
}

// What is known of a state whose longest proper suffix is `suffix`, which has a fall.
static struct fall_step step_of(const struct matcher *m, uint32_t suffix)
{
	struct matcher_state entry = m->states[suffix];
	// Leaves have no children, so a mismatch need not visit them; their outputs are reached by the links instead.
	struct fall_step step = {.fall = entry.info & INFO_LEAF ? entry.fall : suffix};
	step.info = suffix == MATCHER_START ? 0 : entry.info & INFO_OUTPUT;
	bool is_shallow = (step.fall == MATCHER_START) | ((m->states[step.fall].info & INFO_DEPTH) != 0);
	step.info |= is_shallow * STEP_SHALLOW | (!is_shallow & state_ends(m, step.fall)) * STEP_ENDS;
	return step;
}

// What is no byte of this chain leads to a short state: at once, or by a fall that has the same byte next.
static inline bool step_ends(const struct matcher *m, uint32_t state, struct fall_step step)
{
	return step.info & STEP_SHALLOW || (step.info & STEP_ENDS && m->label[step.fall + 1] == m->label[state + 1]);
}

// Without branches that depend on what is as often so as not.
static inline void state_enter(struct matcher *m, uint32_t state, struct fall_step step)
{
	uint32_t info = m->states[state].info;
	if (info & INFO_OUTPUT)
		m->outputs[info & INFO_OUTPUT].link = step.info & INFO_OUTPUT;
	else
		info |= step.info & INFO_OUTPUT;
	m->states[state] = (struct matcher_state){step.fall, info};
	uint64_t stops = (info & (INFO_OUTPUT | INFO_LEAF)) != 0;
	uint64_t ends = !(info & INFO_BRANCH) & step_ends(m, state, step);
	m->flags[state / 64].stops |= stops << state % 64;
	m->flags[state / 64].ends |= ends << state % 64;
}

static uint64_t step_key(uint32_t from, uint8_t byte)
{
	return STEP_USED | (uint64_t)from << 8 | byte;
}

// Where the step is remembered, if it is.
static struct fall_step *step_place(const struct fall_work *work, uint64_t key)
{
	return &work->steps[key * 0x9e3779b97f4a7c15u >> (64 - work->step_bits)];
}

// Makes a step and remembers it. Returns the state whose fall must be known first, MATCHER_START when none must.
static uint32_t step_make(const struct matcher *m, uint64_t key, struct fall_step *place)
{
	uint32_t suffix = step_from(m, (uint32_t)((key & ~STEP_USED) >> 8), (uint8_t)key);
	if (m->states[suffix].fall == FALL_UNKNOWN)
		return suffix;
	*place = step_of(m, suffix);
	place->key = key;
	return MATCHER_START;
}

// --------------------------------------------------------------------------------------------------- what is needed first

// Goes on along the chain of the wait. Returns the state whose fall must be known first, MATCHER_START when all are
// done.
static uint32_t chain_falls(struct matcher *m, struct fall_work *work, const struct fall_wait *wait)
{
	uint32_t state = work->next[wait->chain];
	uint32_t parent = chain_parent(m, wait->chain, state);
	uint32_t from = m->states[parent].fall;
	uint32_t needed = from == FALL_UNKNOWN ? parent : MATCHER_START;
	if (parent == MATCHER_START)
		state_enter(m, state++, step_of(m, MATCHER_START));
	for (; needed == MATCHER_START && state <= wait->until; state++) {
		uint64_t key = step_key(from, m->label[state]);
		struct fall_step *place = step_place(work, key);
		needed = place->key == key ? MATCHER_START : step_make(m, key, place);
		if (needed != MATCHER_START)
			break;
		state_enter(m, state, *place);
		from = place->fall;
	}
	work->next[wait->chain] = state;
	return needed;
}

// A state needs only shorter ones: a chain that waits for another one is never needed by it beyond what it has, so each
// waits at most once at a time.
static void falls_reach(struct matcher *m, struct fall_work *work, uint32_t chain, uint32_t state)
{
	size_t depth = 0;
	work->waits[depth++] = (struct fall_wait){chain, state};
	while (depth > 0) {
		uint32_t needed = chain_falls(m, work, &work->waits[depth - 1]);
		if (needed == MATCHER_START)
			depth--;
		else
			work->waits[depth++] = (struct fall_wait){matcher_state_chain(m, needed), needed};
	}
}

// --------------------------------------------------------------------------------------------------------------- in turns

// A chain on its way.
struct fall_cursor {
	uint32_t chain;
	uint32_t state; // the first one without a fall
	uint32_t last;
	uint64_t key;   // the step to it, and where that may be remembered
	struct fall_step *place;
};

struct fall_run {
	struct matcher *m;
	struct fall_work *work;
	uint32_t chain; // the next one to be begun
	size_t live;
	struct fall_cursor cursors[CURSORS];
};

static inline void cursor_aim(const struct fall_run *run, struct fall_cursor *c, uint32_t from)
{
	c->key = step_key(from, run->m->label[c->state]);
	c->place = step_place(run->work, c->key);
	__builtin_prefetch(c->place);
	__builtin_prefetch(&run->m->states[c->state + CURSOR_AHEAD], 1);
}

static void cursor_resume(const struct fall_run *run, struct fall_cursor *c)
{
	c->state = run->work->next[c->chain];
	if (c->state <= c->last)
		cursor_aim(run, c, run->m->states[chain_parent(run->m, c->chain, c->state)].fall);
}

// The chain may be one that a cursor is on.
static void run_reach(struct fall_run *run, uint32_t chain, uint32_t state)
{
	for (size_t i = 0; i < run->live; i++)
		run->work->next[run->cursors[i].chain] = run->cursors[i].state;
	falls_reach(run->m, run->work, chain, state);
	for (size_t i = 0; i < run->live; i++)
		if (run->work->next[run->cursors[i].chain] != run->cursors[i].state)
			cursor_resume(run, &run->cursors[i]);
}

// Begins the next chain that is not done. Its first state is done at once: the one before it is on another chain.
static bool cursor_take(struct fall_run *run, struct fall_cursor *c)
{
	while (run->chain < run->m->chain_count) {
		uint32_t number = run->chain++;
		const struct matcher_chain *chain = &run->m->chains[number];
		uint32_t first = chain->base + chain->first;
		*c = (struct fall_cursor){.chain = number, .state = run->work->next[number], .last = chain->base + chain->len};
		if (c->state == first)
			run_reach(run, number, first);
		cursor_resume(run, c);
		if (c->state <= c->last)
			return true;
	}
	return false;
}

static inline void cursor_step(struct fall_run *run, struct fall_cursor *c)
{
	if (c->place->key != c->key) {
		uint32_t needed = step_make(run->m, c->key, c->place);
		if (needed != MATCHER_START) {
			run_reach(run, matcher_state_chain(run->m, needed), needed);
			return;
		}
	}
	struct fall_step step = *c->place;
	state_enter(run->m, c->state++, step);
	if (c->state <= c->last)
		cursor_aim(run, c, step.fall);
}

void falls_build(struct matcher *m, struct fall_work *work)
{
	struct fall_run run = {.m = m, .work = work};
	for (uint32_t i = 0; i < m->chain_count; i++)
		work->next[i] = m->chains[i].base + m->chains[i].first;
	while (run.live < CURSORS && cursor_take(&run, &run.cursors[run.live]))
		run.live++;
	while (run.live > 0)
		for (size_t i = 0; i < run.live; i++) {
			struct fall_cursor *c = &run.cursors[i];
			if (c->state <= c->last)
				cursor_step(&run, c);
			if (c->state <= c->last)
				continue;
			work->next[c->chain] = c->state;
			if (!cursor_take(&run, c))
				*c = run.cursors[--run.live];
		}
}
