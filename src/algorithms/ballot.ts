import type { Algorithm } from '../core/provider.js';

/** What a node has to say about a circuit that it shares with others. */
export type BallotAction =
  /** It only looks. */
  | 'look'
  /** Its own circuit opened. */
  | 'trip'
  /** It asks to be the one who probes. */
  | 'probe'
  /** It is well again: its vote is withdrawn, and if it was the one who probed, the circuit closes for all. */
  | 'good'
  /** Its probe failed. */
  | 'bad';

/** One node's word. */
export interface BallotPaper {
  readonly node: string;
  readonly action: BallotAction;
  /** How long a vote counts, an open circuit rests and a probe may take, in milliseconds. */
  readonly span: number;
}

/** What the nodes have decided together. Milliseconds. */
export interface BallotDecision {
  readonly state: 'closed' | 'open' | 'half_open';
  /** Until the circuit lets a probe through; in `half_open`, until the present probe must have ended. */
  readonly retryAfter: number;
  /** Whether this node is to probe. */
  readonly granted: boolean;
  readonly resetAfter: number;
}

interface Node {
  readonly id: string;
  seen: number;
  voted: number;
}

interface Ballot {
  openUntil: number;
  prober: string;
  probeUntil: number;
  nodes: Node[];
}

/** A node counts for so long after it was last heard. */
const seenFor = 30_000;
/** A circuit that nobody probes is forgotten after so many of its spans. */
const forgottenAfter = 10;

/**
 * A circuit that several nodes share. Each votes when its own circuit opens; it opens for all when a majority of those heard lately, and at
 * least two, have: one sick node does not open everyone's. One node at a time may probe.
 */
export const ballot: Algorithm<Ballot, BallotPaper, BallotDecision> = {
  name: 'ballot',
  create: () => ({ openUntil: 0, prober: '', probeUntil: 0, nodes: [] }),
  copy: (state) => ({ ...state, nodes: state.nodes.map((node) => ({ ...node })) }),
  step(state, { node, action, span }, now) {
    if (state.openUntil > 0 && now >= state.openUntil + forgottenAfter * span) close(state);
    state.nodes = state.nodes.filter(({ id, seen, voted }) => id === node || seen + seenFor > now || voted + span > now);
    let mine = state.nodes.find(({ id }) => id === node);
    if (!mine) state.nodes.push((mine = { id: node, seen: now, voted: 0 }));
    mine.seen = now;
    const probing = state.prober === node && state.probeUntil > now;
    if (action === 'trip') mine.voted = now;
    if (action === 'good') {
      mine.voted = 0;
      if (probing) close(state);
    }
    if (action === 'bad' && probing) {
      state.openUntil = now + span;
      state.prober = '';
      state.probeUntil = 0;
    }
    if (state.openUntil === 0) {
      const votes = state.nodes.filter(({ voted }) => voted > 0 && voted + span > now).length;
      const quorum = Math.max(2, Math.floor(state.nodes.filter(({ seen }) => seen + seenFor > now).length / 2) + 1);
      if (votes >= quorum) state.openUntil = now + span;
    }
    const waiting = state.openUntil > now;
    const half = state.openUntil > 0 && !waiting;
    const granted = action === 'probe' && half && (state.probeUntil <= now || state.prober === node);
    if (granted) {
      state.prober = node;
      state.probeUntil = now + span;
    }
    const retryAfter = waiting ? state.openUntil - now : half ? Math.max(0, state.probeUntil - now) : 0;
    const last = Math.max(now + seenFor, now + span, state.openUntil > 0 ? state.openUntil + forgottenAfter * span : 0);
    return { state: waiting ? 'open' : half ? 'half_open' : 'closed', retryAfter, granted, resetAfter: last - now };
  },
  lua: {
    body: `
    local node, action, span = p[1], p[2], p[3]
    local open, prober, probe, nodes = 0, '', 0, {}
    local fine, state = pcall(cmsgpack.unpack, raw or '')
    if fine and type(state) == 'table' then open, prober, probe, nodes = state[1], state[2], state[3], state[4] end
    local function close()
      open, prober, probe = 0, '', 0
      for _, each in ipairs(nodes) do each[3] = 0 end
    end
    if open > 0 and now >= open + ${forgottenAfter} * span then close() end
    local kept, mine = {}, nil
    for _, each in ipairs(nodes) do
      if each[1] == node then mine = each end
      if each[1] == node or each[2] + ${seenFor} > now or each[3] + span > now then kept[#kept + 1] = each end
    end
    nodes = kept
    if not mine then
      mine = {node, now, 0}
      nodes[#nodes + 1] = mine
    end
    mine[2] = now
    local probing = prober == node and probe > now
    if action == 'trip' then mine[3] = now end
    if action == 'good' then
      mine[3] = 0
      if probing then close() end
    end
    if action == 'bad' and probing then open, prober, probe = now + span, '', 0 end
    if open == 0 then
      local votes, heard = 0, 0
      for _, each in ipairs(nodes) do
        if each[3] > 0 and each[3] + span > now then votes = votes + 1 end
        if each[2] + ${seenFor} > now then heard = heard + 1 end
      end
      if votes >= math.max(2, math.floor(heard / 2) + 1) then open = now + span end
    end
    local waiting = open > now
    local half = open > 0 and not waiting
    local granted = action == 'probe' and half and (probe <= now or prober == node)
    if granted then prober, probe = node, now + span end
    local retry = waiting and open - now or half and math.max(0, probe - now) or 0
    local last = math.max(now + ${seenFor}, now + span, open > 0 and open + ${forgottenAfter} * span or 0)
    return granted and 1 or 0, cmsgpack.pack({open, prober, probe, nodes}), last - now, waiting and 'open' or half and 'half_open' or 'closed', retry, last - now`,
    args: ({ node, action, span }) => [node, action, span],
    decision: ([granted, state, retryAfter, resetAfter]) => ({
      state: String(state) as BallotDecision['state'],
      retryAfter: Number(retryAfter),
      granted: granted === 1,
      resetAfter: Number(resetAfter),
    }),
  },
};

/** Closed for all: nobody's vote counts any more. */
function close(state: Ballot): void {
  state.openUntil = 0;
  state.prober = '';
  state.probeUntil = 0;
  for (const node of state.nodes) node.voted = 0;
}
