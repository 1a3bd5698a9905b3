// The TelePulse language. Made from telepulse.v1.schema.json by `cargo run -p telepulse-schema`.

/** `activeLines`: the whole state of an extension's lines after a change; empty when idle. */
export interface ActiveLinesEvent {
  /** Scope: the extension concerned. */
  agent?: string;
  event: "activeLines";
  /** One entry a channel of the extension. */
  lines: Line[];
  /** The number in the event stream. */
  seq: number;
  /** The Asterisk server. */
  server: string;
  time: string;
}

/** `activeUsers`: the whole list, sent when it changes, at most twice a second. */
export interface ActiveUsersEvent {
  event: "activeUsers";
  /** The number in the event stream. */
  seq: number;
  /** The Asterisk server. */
  server: string;
  time: string;
  /** Extensions online. */
  users: string[];
}

/** One member of one queue. */
export interface Agent {
  /** The extension (or the interface, where no rule maps it to one). */
  agent: string;
  /** Calls taken. */
  callsTaken: number;
  /** When the last of them ended. */
  lastCall?: string;
  /** The member's name in the queue. */
  name: string;
  /** The penalty. */
  penalty: number;
  /** The queue. */
  queue: string;
  /** Why paused. */
  reason?: string;
  /** The server. */
  server: string;
  /** What the member is doing. */
  status: MemberStatus;
}

/** `agentComplete`: a queue call that this agent took is over (AMI AgentComplete). */
export interface AgentCompleteEvent {
  /** Scope: the extension concerned. */
  agent?: string;
  /** The call. */
  call?: string;
  event: "agentComplete";
  /** Seconds waited in the queue. */
  holdTime: number;
  /** The queue (a detail here, not scope). */
  queue: string;
  /** Who ended it: `caller`, `agent` or `transfer`. */
  reason: string;
  /** The file of the call's last recording. */
  recording?: string;
  /** The files of all its recordings. */
  recordings?: string[];
  /** The number in the event stream. */
  seq: number;
  /** The Asterisk server. */
  server: string;
  /** Seconds talked. */
  talkTime: number;
  time: string;
  /** Uniqueid of the caller's channel. */
  uniqueId: string;
}

/** `agentName`: an extension's display name. */
export interface AgentNameEvent {
  /** Scope: the extension concerned. */
  agent?: string;
  event: "agentName";
  /** The name. */
  name: string;
  /** The number in the event stream. */
  seq: number;
  /** The Asterisk server. */
  server: string;
  time: string;
}

/** `spy`, `whisper`, `barge`: the phone of `agent` rings, and who answers it listens. */
export interface BargeCommand {
  action: "barge";
  /** Who listens. */
  agent: string;
  /** Given back in the reply. */
  id?: string | number;
  /** The Asterisk server, where several could be meant. */
  server?: string;
  /** To whom: an extension, a channel or a call. */
  target: string;
}

/** A call in progress. */
export interface Call {
  /** When it was answered. */
  answered?: string;
  /** The id. */
  call: string;
  /** Its channels. */
  channels: CallChannel[];
  /** Who calls. */
  from: string;
  /** The queue that it is in or came through. */
  queue?: string;
  /** The server. */
  server: string;
  /** When it began. */
  started: string;
  /** How far it is. */
  state: CallState;
  /** Who is called. */
  to: string;
}

/** `callAnswered`: two parties talk for the first time (or one talks to an application). */
export interface CallAnsweredEvent {
  /** Scope: the extension concerned. */
  agent?: string;
  /** The call. */
  call: string;
  event: "callAnswered";
  /** Who calls. */
  from: string;
  /** Scope: the queue concerned. */
  queue?: string;
  /** The number in the event stream. */
  seq: number;
  /** The Asterisk server. */
  server: string;
  time: string;
  /** Who answered. */
  to: string;
  /** Whole seconds from the start to the answer. */
  wait: number;
}

/** One channel of a call. */
export interface CallChannel {
  /** The extension whose channel it is. */
  agent?: string;
  /** The AMI channel name. */
  channel: string;
  /** The channel's own number. */
  number: string;
  /** Its state, in Asterisk's words. */
  state: string;
}

/** `callEnded`: the call summed up. */
export interface CallEndedEvent {
  /** Scope: the extension concerned. */
  agent?: string;
  /** When it was answered, if it was. */
  answered?: string;
  /** The call. */
  call: string;
  /** The hang-up cause (Q.850); 0 if not known. */
  cause: number;
  /** The cause in words; says `lost` words when the end was found by a listing after an outage. */
  causeText: string;
  /** What became of it. */
  disposition: Disposition;
  /** Whole seconds from start to end. */
  duration: number;
  event: "callEnded";
  /** Who called. */
  from: string;
  /** The older call that this one was merged into. */
  mergedInto?: string;
  /** Scope: the queue concerned. */
  queue?: string;
  /** Files of the recordings that were made of it, as far as Asterisk named them. */
  recordings: string[];
  /** The number in the event stream. */
  seq: number;
  /** The Asterisk server. */
  server: string;
  /** When it began. */
  started: string;
  /** Whole seconds from answer to end; 0 if never answered. */
  talkTime: number;
  time: string;
  /** Who was called. */
  to: string;
}

/** `callHeld`: the extension of the scope put its other side on hold (AMI Hold). */
export interface CallHeldEvent {
  /** Scope: the extension concerned. */
  agent?: string;
  /** The call. */
  call: string;
  /** The channel that holds. */
  channel: string;
  event: "callHeld";
  /** Who is on hold; empty when not known. */
  number: string;
  /** Scope: the queue concerned. */
  queue?: string;
  /** The number in the event stream. */
  seq: number;
  /** The Asterisk server. */
  server: string;
  time: string;
}

/** `callResumed`: it took the other side back (AMI Unhold). */
export interface CallResumedEvent {
  /** Scope: the extension concerned. */
  agent?: string;
  /** The call. */
  call: string;
  /** The channel that held. */
  channel: string;
  /** Whole seconds on hold. */
  duration: number;
  event: "callResumed";
  /** Who was on hold; empty when not known. */
  number: string;
  /** Scope: the queue concerned. */
  queue?: string;
  /** The number in the event stream. */
  seq: number;
  /** The Asterisk server. */
  server: string;
  time: string;
}

/** `callStarted`: published once for each agent concerned, and once without agent where there is none. */
export interface CallStartedEvent {
  /** Scope: the extension concerned. */
  agent?: string;
  /** The call's id: opaque, unique over servers, kept until `callEnded`. */
  call: string;
  /** Seen from `agent`; absent where there is none. */
  direction?: Direction;
  event: "callStarted";
  /** Who calls: an extension or a number. */
  from: string;
  /** Scope: the queue concerned. */
  queue?: string;
  /** The number in the event stream. */
  seq: number;
  /** The Asterisk server. */
  server: string;
  time: string;
  /** Who is called; empty while not known. */
  to: string;
}

/** How far a call is. */
export type CallState = "dialing" | "ringing" | "up";

/** `callTransferred`: one party of a call goes to somebody else (AMI BlindTransfer,
 * AttendedTransfer; or the command `transfer`). Told once for each extension concerned. */
export interface CallTransferredEvent {
  /** Scope: the extension concerned. */
  agent?: string;
  /** Who handed over: an extension or a number; absent where nobody in the call did. */
  by?: string;
  /** The call, as it is named from now on. */
  call: string;
  event: "callTransferred";
  /** Whether they spoke with each other before. */
  kind: TransferredHow;
  /** Who goes; empty when not known. */
  party: string;
  /** Scope: the queue concerned. */
  queue?: string;
  /** The number in the event stream. */
  seq: number;
  /** The Asterisk server. */
  server: string;
  time: string;
  /** To whom. */
  to: string;
}

/** One caller who waits in a queue. */
export interface Caller {
  /** The call. */
  call: string;
  /** The caller's name. */
  name: string;
  /** The caller's number. */
  number: string;
  /** The place in the queue, from 1. */
  position: number;
  /** Waiting since. */
  since: string;
}

/** How a caller came or went. */
export type CallerChange = "joined" | "left" | "abandoned";

/** `callerInfo`: what a CRM, or the system that a call comes from, knows of the caller. Plugins publish it. */
export interface CallerInfoEvent {
  /** Scope: the extension concerned. */
  agent?: string;
  /** Whether it was known before, and nobody was asked again. */
  cached: boolean;
  /** The call. */
  call: string;
  event: "callerInfo";
  /** What is known: any JSON, as the source has it. */
  info: unknown;
  /** The caller's number. */
  number: string;
  /** Scope: the queue concerned. */
  queue?: string;
  /** The number in the event stream. */
  seq: number;
  /** The Asterisk server. */
  server: string;
  /** Who says so: the plugin's word for it. */
  source: string;
  time: string;
}

/** `channelState`: a channel's state, in Asterisk's words. */
export interface ChannelStateEvent {
  /** Scope: the extension concerned. */
  agent?: string;
  /** Its call. */
  call: string;
  /** The hang-up cause (Q.850), at the end. */
  cause?: number;
  /** The cause in words. */
  causeText?: string;
  /** The AMI channel name. */
  channel: string;
  event: "channelState";
  /** The other side's name. */
  name: string;
  /** The other side's number (ConnectedLineNum, else the dialled Exten). */
  number: string;
  /** The number in the event stream. */
  seq: number;
  /** The Asterisk server. */
  server: string;
  /** `down`, `reserved`, `offhook`, `dialing`, `ring`, `ringing`, `up`, `busy`, …; `hungup` at the end. */
  state: string;
  time: string;
}

/** Why something was refused, as a word that programs can match on. */
export type Code = "badRequest" | "unauthorized" | "forbidden" | "notFound" | "conflict" | "refusedByPolicy" | "rejectedByServer" | "serverUnavailable" | "timeout" | "unknownOutcome" | "tooManyRequests" | "internal";

/** What it can be told. */
export type Command = DialCommand | HangupCommand | TransferCommand | SpyCommand | WhisperCommand | BargeCommand | RecordCommand | ParkCommand | PickupCommand | DtmfCommand | MuteCommand | UnmuteCommand | QueueAddCommand | QueueRemoveCommand | QueuePauseCommand | QueueUnpauseCommand | ConferenceKickCommand | ConferenceMuteCommand | ConferenceUnmuteCommand | ConferenceLockCommand | ConferenceUnlockCommand | SetVariableCommand | GetVariableCommand | MessageCommand | NoteCommand | PopupCloseCommand | LookupAnswerCommand;

/** What happened in a conference. */
export type ConferenceChange = "started" | "joined" | "left" | "muted" | "unmuted" | "talking" | "silent" | "locked" | "unlocked" | "ended";

/** `conference`: something happened in a conference (AMI Confbridge…). */
export interface ConferenceEvent {
  /** Scope: the extension concerned. */
  agent?: string;
  /** That channel's call. */
  call?: string;
  /** What happened. */
  change: ConferenceChange;
  /** Who did it, or whom it was done to: the channel; absent if it concerns all. */
  channel?: string;
  /** The conference. */
  conference: string;
  event: "conference";
  /** The number in the event stream. */
  seq: number;
  /** The Asterisk server. */
  server: string;
  time: string;
}

/** `conferenceKick`, `conferenceMute`, `conferenceUnmute`. */
export interface ConferenceKickCommand {
  action: "conferenceKick";
  /** The member; everybody in it when left out. */
  channel?: string;
  /** The conference. */
  conference: string;
  /** Given back in the reply. */
  id?: string | number;
  /** The Asterisk server, where several could be meant. */
  server?: string;
}

/** `conferenceLock`, `conferenceUnlock`. */
export interface ConferenceLockCommand {
  action: "conferenceLock";
  /** The conference. */
  conference: string;
  /** Given back in the reply. */
  id?: string | number;
  /** The Asterisk server, where several could be meant. */
  server?: string;
}

/** `conferenceKick`, `conferenceMute`, `conferenceUnmute`. */
export interface ConferenceMuteCommand {
  action: "conferenceMute";
  /** The member; everybody in it when left out. */
  channel?: string;
  /** The conference. */
  conference: string;
  /** Given back in the reply. */
  id?: string | number;
  /** The Asterisk server, where several could be meant. */
  server?: string;
}

/** One channel in a conference. */
export interface ConferenceParty {
  /** Whether it came as an administrator. */
  admin: boolean;
  /** The extension, if it is one. */
  agent?: string;
  /** Its call. */
  call: string;
  /** The channel. */
  channel: string;
  /** Whether it cannot be heard. */
  muted: boolean;
  /** The channel's own name. */
  name: string;
  /** The channel's own number. */
  number: string;
  /** In the conference since. */
  since: string;
  /** Whether it talks just now. */
  talking: boolean;
}

/** A conference that goes on. */
export interface ConferenceRoom {
  /** Its name or number. */
  conference: string;
  /** Whether nobody else may come in. */
  locked: boolean;
  /** Who is in it, in the order of coming. */
  members: ConferenceParty[];
  /** The server. */
  server: string;
  /** Known since. */
  since: string;
}

/** `conferenceLock`, `conferenceUnlock`. */
export interface ConferenceUnlockCommand {
  action: "conferenceUnlock";
  /** The conference. */
  conference: string;
  /** Given back in the reply. */
  id?: string | number;
  /** The Asterisk server, where several could be meant. */
  server?: string;
}

/** `conferenceKick`, `conferenceMute`, `conferenceUnmute`. */
export interface ConferenceUnmuteCommand {
  action: "conferenceUnmute";
  /** The member; everybody in it when left out. */
  channel?: string;
  /** The conference. */
  conference: string;
  /** Given back in the reply. */
  id?: string | number;
  /** The Asterisk server, where several could be meant. */
  server?: string;
}

/** What a decision on a recording rests on. */
export type DecisionReason = "rule" | "consentGiven" | "consentRefused" | "fallback";

/** What goes on at the phones of one extension, as ARI tells it. */
export interface Device {
  /** The extension. */
  agent: string;
  /** The channels between Asterisk and its phones, the oldest first. */
  channels: DeviceChannel[];
  /** The server. */
  server: string;
}

/** One channel between Asterisk and a phone. */
export interface DeviceChannel {
  /** The channel's name. */
  channel: string;
  /** Its id: the Uniqueid of AMI. */
  id: string;
  /** The other side's name; empty where it is not known. */
  name: string;
  /** The other side's number, or what was dialled; empty where neither is known. */
  number: string;
  /** Whether Asterisk called the phone; else the phone called Asterisk. */
  outbound: boolean;
  /** In this state since; where that was not seen, since the channel was made. */
  since: string;
  /** Its state: `down`, `ring`, `ringing`, `up`, `busy`, … */
  state: string;
}

/** `dial`. Its result is `{"actionId","call"}`; whether it was answered comes as events. */
export interface DialCommand {
  action: "dial";
  /** Ask the phone of `from` to answer by itself, by the headers `Call-Info` and `Alert-Info` of its
   * INVITE. Phones heed one or the other, some only where their settings say so. */
  autoAnswer?: boolean;
  /** What the called side sees. */
  callerId?: string;
  /** An extension, or a raw channel (`PJSIP/201`), which needs the right `dial:channel`. */
  from: string;
  /** Given back in the reply. */
  id?: string | number;
  /** The Asterisk server, where several could be meant. */
  server?: string;
  /** Seconds to ring `from`; 1 to 300, 30 when left out. */
  timeout?: number;
  /** The extension or number to call. */
  to: string;
  /** Channel variables for the new channel. */
  variables?: Record<string, string>;
}

/** Who began a call, seen from one extension. */
export type Direction = "in" | "out";

/** What became of a call. */
export type Disposition = "answered" | "noAnswer" | "busy" | "failed" | "cancelled" | "merged" | "lost";

/** `dtmf`: presses keys, as if the other side of the channel had. */
export interface DtmfCommand {
  action: "dtmf";
  /** The channel whose phone hears them. */
  channel: string;
  /** The keys. */
  digits: string;
  /** Given back in the reply. */
  id?: string | number;
  /** The Asterisk server, where several could be meant. */
  server?: string;
}

/** A call that is over, as the history keeps it: what `callEnded` told, once, with everybody to whom
 * it was told. */
export interface EndedCall {
  /** The extensions that took part in it. */
  agents: string[];
  /** When it was answered, if it was. */
  answered?: string;
  /** The call. */
  call: string;
  /** The hang-up cause (Q.850); 0 if not known. */
  cause: number;
  /** The cause in words; says `lost` words when the end was found by a listing after an outage. */
  causeText: string;
  /** What became of it. */
  disposition: Disposition;
  /** Whole seconds from start to end. */
  duration: number;
  /** When it ended. */
  ended: string;
  /** Who called. */
  from: string;
  /** The older call that this one was merged into. */
  mergedInto?: string;
  /** The queue that it came through. */
  queue?: string;
  /** Files of the recordings that were made of it, as far as Asterisk named them. */
  recordings: string[];
  /** The server. */
  server: string;
  /** When it began. */
  started: string;
  /** Whole seconds from answer to end; 0 if never answered. */
  talkTime: number;
  /** Who was called. */
  to: string;
}

/** What the platform tells. */
export type Event = ServerStatusEvent | UserStatusEvent | ActiveUsersEvent | ActiveLinesEvent | ChannelStateEvent | CallStartedEvent | CallAnsweredEvent | CallHeldEvent | CallResumedEvent | CallTransferredEvent | CallEndedEvent | CallerInfoEvent | PopupEvent | AgentNameEvent | ExtensionStatusEvent | PresenceEvent | QueueMemberStatusEvent | QueueCountEvent | QueueCallerEvent | PhoneNumberEvent | AgentCompleteEvent | OriginateFailedEvent | ParkedEvent | UnparkedEvent | ConferenceEvent | RecordingEvent | RecordingPolicyEvent | MessageEvent | ResyncEvent;

/** States of an extension (AMI ExtensionStatus, DeviceStateChange). */
export type ExtensionState = "not_inuse" | "ringing" | "inuse" | "ringinuse" | "busy" | "onhold" | "unavailable" | "unknown";

/** `extensionStatus`: what Asterisk says of the extension's device. */
export interface ExtensionStatusEvent {
  /** Scope: the extension concerned. */
  agent?: string;
  event: "extensionStatus";
  /** The number in the event stream. */
  seq: number;
  /** The Asterisk server. */
  server: string;
  /** The state. */
  status: ExtensionState;
  time: string;
}

/** Lets an event through if each scope field *that the event has* is in the list of that name.
 * 
 * An absent list lets everything through; an empty one lets nothing with that scope through. */
export interface Filter {
  /** Agents, which are extensions. */
  agents?: string[];
  /** Event types, like `activeLines`. */
  events?: string[];
  /** Queues by name. */
  queues?: string[];
  /** Asterisk servers by id. */
  servers?: string[];
}

/** `getVariable`. Its result is `{"value"}`, empty if it is not set. */
export interface GetVariableCommand {
  action: "getVariable";
  /** The channel; or a call, and then the caller's channel is meant. */
  channel: string;
  /** Given back in the reply. */
  id?: string | number;
  /** The variable; no function. */
  name: string;
  /** The Asterisk server, where several could be meant. */
  server?: string;
}

export interface HangupCommand {
  action: "hangup";
  agent?: string;
  call?: string;
  /** The cause told to the other side (Q.850, 1 to 127); normal clearing when left out. */
  cause?: number;
  channel?: string;
  /** Given back in the reply. */
  id?: string | number;
  /** The Asterisk server, where several could be meant. */
  server?: string;
}

/** Which of a channel's sounds. */
export type Hearing = "said" | "heard" | "both";

/** One line: a channel of an extension, seen from that extension. */
export interface Line {
  /** The call that the channel takes part in. */
  call: string;
  /** The AMI channel name. */
  channel: string;
  /** Who began: `out` if the extension dialled, `in` if it was rung. */
  direction: Direction;
  /** Whether the extension is muted. */
  muted: boolean;
  /** The other side's name; empty when not known. */
  name: string;
  /** The other side's number; empty when not known. */
  number: string;
  /** The queue that the call came through. */
  queue?: string;
  /** Whether it is being recorded. */
  recording: boolean;
  /** Whether that recording is paused. */
  recordingPaused: boolean;
  /** Since when the line is in this state. */
  since: string;
  /** Channels that listen in. */
  spiedBy?: string[];
  /** What the line is doing. */
  state: LineState;
}

/** What a line is doing. */
export type LineState = "dialing" | "ringing" | "up" | "hold" | "moh" | "parked" | "conference";

/** The lines of one extension. */
export interface Lines {
  /** The extension. */
  agent: string;
  /** Its lines, as in `activeLines`. */
  lines: Line[];
  /** The server. */
  server: string;
}

/** `lookupAnswer`: what a client that was asked by `lookup` knows of a number. */
export interface LookupAnswerCommand {
  action: "lookupAnswer";
  /** Given back in the reply. */
  id?: string | number;
  /** What is known: any JSON; null if nothing is. */
  info: unknown;
  /** The `lookup` of the question. */
  lookup: string;
  /** The Asterisk server, where several could be meant. */
  server?: string;
}

/** States of a queue member (AMI QueueMemberStatus, numbers 0 to 8). */
export type MemberStatus = "loggedoff" | "paused" | "not_inuse" | "inuse" | "busy" | "ringing" | "ringinuse" | "onhold" | "unavailable" | "unknown";

/** `message`: comes as the event `message` to whoever sees that extension's events. */
export interface MessageCommand {
  action: "message";
  /** Given back in the reply. */
  id?: string | number;
  /** The Asterisk server, where several could be meant. */
  server?: string;
  /** The words. */
  text: string;
  /** The extension. */
  to: string;
}

/** `message`: words for the people at an extension (command `message`). */
export interface MessageEvent {
  /** Scope: the extension concerned. */
  agent?: string;
  event: "message";
  /** Who says it: the sender's extension, else the user's name; absent if the host itself does. */
  from?: string;
  /** The number in the event stream. */
  seq: number;
  /** The Asterisk server. */
  server: string;
  /** The words. */
  text: string;
  time: string;
}

/** `mute`, `unmute`: a channel's sound. */
export interface MuteCommand {
  action: "mute";
  /** The channel. */
  channel: string;
  /** Which of its sounds. */
  hearing?: Hearing;
  /** Given back in the reply. */
  id?: string | number;
  /** The Asterisk server, where several could be meant. */
  server?: string;
}

/** `note`: goes to the CRM with the call, or after it. */
export interface NoteCommand {
  action: "note";
  /** The call, also one that has ended. */
  call: string;
  /** Given back in the reply. */
  id?: string | number;
  /** The Asterisk server, where several could be meant. */
  server?: string;
  /** The words, also of several lines. */
  text: string;
}

/** `originateFailed`: a `dial` that Asterisk accepted came to nothing. */
export interface OriginateFailedEvent {
  /** The `actionId` of the dial's reply. */
  actionId: string;
  /** Scope: the extension concerned. */
  agent?: string;
  event: "originateFailed";
  /** Why (AMI OriginateResponse, Reason, in words). */
  reason: string;
  /** The number in the event stream. */
  seq: number;
  /** The Asterisk server. */
  server: string;
  time: string;
}

/** Which part of the history of calls. */
export interface Page {
  /** Goes on where an earlier answer ended: its `next`. */
  before?: string;
  /** The one call of this id. */
  call?: string;
  /** At most so many calls, from 1 to 1,000; 100 when left out. */
  limit?: number;
  /** Calls from or to this number. */
  number?: string;
  /** Calls that ended at this moment or later. */
  since?: string;
  /** Calls that ended before this moment. */
  until?: string;
}

export interface ParkCommand {
  action: "park";
  agent?: string;
  /** The extension that is told the space by a voice; it has to be in the call. */
  announceTo?: string;
  call?: string;
  channel?: string;
  /** Given back in the reply. */
  id?: string | number;
  /** The parking lot; Asterisk's own when left out. */
  lot?: string;
  /** The Asterisk server, where several could be meant. */
  server?: string;
  /** Seconds until it comes back by itself; the lot's own when left out. */
  timeout?: number;
}

/** A call in a parking lot. */
export interface ParkedCall {
  /** The extension that waits, if it is one. */
  agent?: string;
  /** The extension that parked it, if it is known. */
  by?: string;
  /** The call. */
  call: string;
  /** The channel that waits. */
  channel: string;
  /** The parking lot. */
  lot: string;
  /** The name of who waits. */
  name: string;
  /** The number of who waits. */
  number: string;
  /** The server. */
  server: string;
  /** Waiting since. */
  since: string;
  /** The number to dial to get it back. */
  space: string;
  /** Seconds after which it goes back by itself, counted from `since`. */
  timeout: number;
}

/** `parked`: a call waits in a parking lot (AMI ParkedCall). Scope: the extension that is parked. */
export interface ParkedEvent {
  /** Scope: the extension concerned. */
  agent?: string;
  /** Who parked it, an extension; absent where Asterisk does not say. */
  by?: string;
  /** The call. */
  call: string;
  event: "parked";
  /** The parking lot. */
  lot: string;
  /** The number in the event stream. */
  seq: number;
  /** The Asterisk server. */
  server: string;
  /** The number to dial to get it back. */
  space: string;
  time: string;
  /** Seconds until it comes back by itself. */
  timeout: number;
}

/** `phoneNumber`: whom the extension rings or talks with; null when the call is over. */
export interface PhoneNumberEvent {
  /** Scope: the extension concerned. */
  agent?: string;
  event: "phoneNumber";
  /** The other side's name. */
  name?: string;
  /** The other side's number. */
  number: string | null;
  /** The queue that the call came through (a detail here, not scope). */
  queue?: string;
  /** The number in the event stream. */
  seq: number;
  /** The Asterisk server. */
  server: string;
  time: string;
}

/** `pickup`: the phone of `agent` rings, and who answers it has the call that rings at `target`. */
export interface PickupCommand {
  action: "pickup";
  /** Who takes the call. */
  agent: string;
  /** Given back in the reply. */
  id?: string | number;
  /** The Asterisk server, where several could be meant. */
  server?: string;
  /** Where it rings: an extension, a channel or a call. */
  target: string;
}

/** `popupClose`: what popped up for a call is closed by hand; comes as the event `popup`. */
export interface PopupCloseCommand {
  action: "popupClose";
  /** Whose; the user's own extension where it is left out. */
  agent?: string;
  /** The call. */
  call: string;
  /** Given back in the reply. */
  id?: string | number;
  /** The Asterisk server, where several could be meant. */
  server?: string;
}

/** `popup`: what an extension's page shows of a call. Plugins publish it. */
export interface PopupEvent {
  /** Scope: the extension concerned. */
  agent?: string;
  /** The call. */
  call: string;
  event: "popup";
  /** The number of the other side. */
  number: string;
  /** Why there is nothing any more. */
  reason?: PopupReason;
  /** The number in the event stream. */
  seq: number;
  /** The Asterisk server. */
  server: string;
  /** What is to be seen. */
  state: PopupState;
  time: string;
}

/** Why nothing is to be seen of a call any more. */
export type PopupReason = "answeredElsewhere" | "notAnswered" | "byHand" | "onHook";

/** What is to be seen of a call. */
export type PopupState = "down" | "ringing" | "up" | "closed";

/** `presence`: what somebody says of being there (AMI PresenceStatus, of a hint's presence part). */
export interface Presence {
  /** Free words, where some are set. */
  message?: string;
  /** `available`, `away`, `xa`, `chat`, `dnd`, `unavailable`, `not_set`: Asterisk's words. */
  state: string;
  /** A finer word, where one is set. */
  subtype?: string;
}

/** `presence`: what somebody says of being there (AMI PresenceStatus, of a hint's presence part). */
export interface PresenceEvent {
  /** Scope: the extension concerned. */
  agent?: string;
  event: "presence";
  /** Free words, where some are set. */
  message?: string;
  /** The number in the event stream. */
  seq: number;
  /** The Asterisk server. */
  server: string;
  /** `available`, `away`, `xa`, `chat`, `dnd`, `unavailable`, `not_set`: Asterisk's words. */
  state: string;
  /** A finer word, where one is set. */
  subtype?: string;
  time: string;
}

/** A question to `telepulse.query`. */
export interface Query {
  /** Which of them; all when left out. */
  filter?: Filter;
  /** Which part of the history. For `endedCalls` only. */
  page?: Page;
  /** What is asked for. */
  query: QueryKind;
}

/** What can be asked for. */
export type QueryKind = "calls" | "endedCalls" | "lines" | "users" | "queues" | "agents" | "parked" | "conferences" | "servers" | "devices" | "snapshot";

/** The answer to a query, true as of `seq`. */
export interface QueryResult {
  /** The event stream that `seq` counts in. */
  epoch: string;
  /** The items asked for. */
  items: unknown[];
  /** Where the next part begins: the `page.before` of the next question. Absent with the last
   * part, and for all but `endedCalls`. */
  next?: string;
  /** For each server, the number of the last event that its items hold: for gateways, which drop
   * later-delivered events that the snapshot already has. */
  parts?: [string, number][];
  /** Everything up to this event is in the items. */
  seq: number;
}

/** A queue with who waits and who serves. */
export interface Queue {
  /** Those callers, in order. */
  callers: Caller[];
  /** Callers waiting. */
  count: number;
  /** Its members. */
  members: Agent[];
  /** The name. */
  queue: string;
  /** The server. */
  server: string;
}

/** `queueAdd`. */
export interface QueueAddCommand {
  action: "queueAdd";
  /** The extension. */
  agent: string;
  /** Given back in the reply. */
  id?: string | number;
  /** The name shown for the member. */
  name?: string;
  /** Members with a higher penalty are rung later; 0 when left out. */
  penalty?: number;
  /** The queue. */
  queue: string;
  /** The Asterisk server, where several could be meant. */
  server?: string;
}

/** `queueCaller`: one caller came or went (AMI QueueCallerJoin, QueueCallerLeave,
 * QueueCallerAbandon). */
export interface QueueCallerEvent {
  /** The call. */
  call: string;
  /** What happened. */
  change: CallerChange;
  event: "queueCaller";
  /** The caller's name; empty when not known. */
  name: string;
  /** The caller's number; empty when withheld. */
  number: string;
  /** The place in the queue, from 1: where the caller stands, or stood last. */
  position: number;
  /** Scope: the queue concerned. */
  queue?: string;
  /** The number in the event stream. */
  seq: number;
  /** The Asterisk server. */
  server: string;
  time: string;
  /** Whole seconds waited, once the caller is gone. */
  wait?: number;
}

/** `queueCount`: how many callers wait. */
export interface QueueCountEvent {
  /** Callers waiting. */
  count: number;
  event: "queueCount";
  /** Scope: the queue concerned. */
  queue?: string;
  /** The number in the event stream. */
  seq: number;
  /** The Asterisk server. */
  server: string;
  time: string;
}

/** `queueMemberStatus`: one agent in one queue. `loggedoff` when no longer a member. */
export interface QueueMemberStatusEvent {
  /** Scope: the extension concerned. */
  agent?: string;
  /** Calls taken in this queue. */
  callsTaken: number;
  event: "queueMemberStatus";
  /** When the last of them ended. */
  lastCall?: string;
  /** The member's penalty. */
  penalty: number;
  /** Scope: the queue concerned. */
  queue?: string;
  /** Why paused. */
  reason?: string;
  /** The number in the event stream. */
  seq: number;
  /** The Asterisk server. */
  server: string;
  /** The state; `paused` wins over the device's. */
  status: MemberStatus;
  time: string;
}

/** `queuePause`. */
export interface QueuePauseCommand {
  action: "queuePause";
  /** The extension. */
  agent: string;
  /** Given back in the reply. */
  id?: string | number;
  /** The queue; all of the agent's queues when left out. */
  queue?: string;
  /** Why, for the reports. */
  reason?: string;
  /** The Asterisk server, where several could be meant. */
  server?: string;
}

/** `queueRemove`. */
export interface QueueRemoveCommand {
  action: "queueRemove";
  /** The extension. */
  agent: string;
  /** Given back in the reply. */
  id?: string | number;
  /** The queue. */
  queue: string;
  /** The Asterisk server, where several could be meant. */
  server?: string;
}

/** `queueUnpause`. */
export interface QueueUnpauseCommand {
  action: "queueUnpause";
  /** The extension. */
  agent: string;
  /** Given back in the reply. */
  id?: string | number;
  /** The queue; all of the agent's queues when left out. */
  queue?: string;
  /** Why, for the reports. */
  reason?: string;
  /** The Asterisk server, where several could be meant. */
  server?: string;
}

export interface RecordCommand {
  action: "record";
  agent?: string;
  /** An extension that answers, says that the call is recorded and hangs up: both sides hear it. It
   * is looked up where dialled numbers are, and takes the right to `dial`. With `start` only. */
  announcement?: string;
  /** Seconds from one beep to the next, which tell both sides that they are recorded; 5 to 3600,
   * none when left out. Asterisk needs `func_periodic_hook` for it. With `start` only. */
  beep?: number;
  call?: string;
  /** What to do. */
  change: RecordOrder;
  channel?: string;
  /** Begin although the channel is not answered yet. With `start` only. */
  early?: boolean;
  /** The file to make on the Asterisk server, below its folder for recordings; one by the call's
   * id and the time when left out. With `start` only. */
  file?: string;
  /** Given back in the reply. */
  id?: string | number;
  /** How the two sides are kept; `mixed` when left out. With `start` only. */
  mode?: RecordMode;
  /** The Asterisk server, where several could be meant. */
  server?: string;
}

/** How a recording keeps the two sides of a call. */
export type RecordMode = "mixed" | "stereo";

/** What is to become of a recording. */
export type RecordOrder = "start" | "pause" | "resume" | "stop";

/** What happened to a recording. */
export type RecordingChange = "started" | "paused" | "resumed" | "stopped";

/** Whether a call is recorded. */
export type RecordingDecision = "record" | "dontRecord";

/** `recording`: a channel's recording (AMI MixMonitorStart, MixMonitorMute, MixMonitorStop). */
export interface RecordingEvent {
  /** Scope: the extension concerned. */
  agent?: string;
  /** Whose command it was: the extension, else the name of the user; absent where it was none. */
  by?: string;
  /** The call. */
  call: string;
  /** What happened. */
  change: RecordingChange;
  /** The channel that is recorded. */
  channel: string;
  event: "recording";
  /** The file, as Asterisk names it; empty if it does not say. */
  file: string;
  /** Scope: the queue concerned. */
  queue?: string;
  /** The number in the event stream. */
  seq: number;
  /** The Asterisk server. */
  server: string;
  time: string;
}

/** `recordingPolicy`: what the rules for recordings made of a call. Plugins publish it. */
export interface RecordingPolicyEvent {
  /** Scope: the extension concerned. */
  agent?: string;
  /** The call. */
  call: string;
  /** What came of it. */
  decision: RecordingDecision;
  event: "recordingPolicy";
  /** The file, as it was ordered; absent where nothing is recorded. */
  file?: string;
  /** Scope: the queue concerned. */
  queue?: string;
  /** What it rests on. */
  reason: DecisionReason;
  /** How many days the recording is to be kept; absent where the rule does not say. */
  retentionDays?: number;
  /** The rule that matched, by its name. */
  rule: string;
  /** The number in the event stream. */
  seq: number;
  /** The Asterisk server. */
  server: string;
  time: string;
}

/** A refusal: the `error` of a reply. */
export interface Refusal {
  /** What kind of refusal. */
  code: Code;
  /** The field of the request that is at fault. */
  field?: string;
  /** For a person: the thing, the place, the way out. */
  message: string;
}

/** The answer to a request. */
export type Reply = {
  /** The request's own. */
  id: string | number | null;
  ok: true;
  result: Record<string, unknown>;
} | {
  error: Refusal;
  /** The request's own. */
  id: string | number | null;
  ok: false;
};

/** `resync`: events from `from` to `to` may have been missed; the state was read anew. */
export interface ResyncEvent {
  event: "resync";
  /** When the link was lost. */
  from: string;
  /** The number in the event stream. */
  seq: number;
  /** The Asterisk server. */
  server: string;
  time: string;
  /** When the state was true again. */
  to: string;
}

/** An Asterisk server, as on `telepulse.proxy.status`. */
export interface Server {
  /** Asterisk's version, once known. */
  asterisk?: string;
  /** Why. */
  reason?: string;
  /** The id. */
  server: string;
  /** In this state since. */
  since: string;
  /** Where the link stands. */
  state: ServerState;
}

/** The states of a link to an Asterisk server. */
export type ServerState = "CONNECTING" | "AUTHENTICATING" | "SYNCING" | "CONNECTED" | "DISCONNECTED" | "REJECTED" | "REMOVED";

/** `serverStatus`: the state of the link to one Asterisk server. */
export interface ServerStatusEvent {
  event: "serverStatus";
  /** Why, where there is something to say. */
  reason?: string;
  /** The number in the event stream. */
  seq: number;
  /** The Asterisk server. */
  server: string;
  /** Where the link stands. */
  state: ServerState;
  time: string;
}

/** `setVariable`. */
export interface SetVariableCommand {
  action: "setVariable";
  /** The channel. */
  channel: string;
  /** Given back in the reply. */
  id?: string | number;
  /** The variable; no function. */
  name: string;
  /** The Asterisk server, where several could be meant. */
  server?: string;
  /** Its value from now on. */
  value: string;
}

/** The state of everything that a filter lets through. */
export interface Snapshot {
  /** Queue members. */
  agents: Agent[];
  /** Calls. */
  calls: Call[];
  /** Conferences. */
  conferences: ConferenceRoom[];
  /** Lines by extension (those with lines). */
  lines: Lines[];
  /** Parked calls. */
  parked: ParkedCall[];
  /** Queues. */
  queues: Queue[];
  /** Servers. */
  servers: Server[];
  /** Extensions. */
  users: User[];
}

/** `spy`, `whisper`, `barge`: the phone of `agent` rings, and who answers it listens. */
export interface SpyCommand {
  action: "spy";
  /** Who listens. */
  agent: string;
  /** Given back in the reply. */
  id?: string | number;
  /** The Asterisk server, where several could be meant. */
  server?: string;
  /** To whom: an extension, a channel or a call. */
  target: string;
}

export interface TransferCommand {
  action: "transfer";
  agent?: string;
  call?: string;
  channel?: string;
  /** Given back in the reply. */
  id?: string | number;
  /** How. */
  kind?: TransferKind;
  /** The Asterisk server, where several could be meant. */
  server?: string;
  /** Where it goes. */
  to: string;
}

/** How a transfer is done. */
export type TransferKind = "blind" | "attended" | "voicemail";

/** How a call was transferred. */
export type TransferredHow = "blind" | "attended";

/** `mute`, `unmute`: a channel's sound. */
export interface UnmuteCommand {
  action: "unmute";
  /** The channel. */
  channel: string;
  /** Which of its sounds. */
  hearing?: Hearing;
  /** Given back in the reply. */
  id?: string | number;
  /** The Asterisk server, where several could be meant. */
  server?: string;
}

/** Why a call is parked no more. */
export type UnparkReason = "retrieved" | "timeout" | "hangup" | "left";

/** `unparked`: it waits there no more (AMI UnParkedCall, ParkedCallTimeOut, ParkedCallGiveUp). */
export interface UnparkedEvent {
  /** Scope: the extension concerned. */
  agent?: string;
  /** Who took it, an extension. */
  by?: string;
  /** The call. */
  call: string;
  event: "unparked";
  /** The parking lot. */
  lot: string;
  /** Why. */
  reason: UnparkReason;
  /** The number in the event stream. */
  seq: number;
  /** The Asterisk server. */
  server: string;
  /** Where it was. */
  space: string;
  time: string;
}

/** An extension. */
export interface User {
  /** Where the phone is, host and port, where Asterisk told. */
  address?: string;
  /** The extension. */
  agent: string;
  /** The device, like `PJSIP/201`. */
  device: string;
  /** What its device is doing. */
  extensionStatus: ExtensionState;
  /** The display name, where known. */
  name?: string;
  /** Presence, where Asterisk has one. */
  presence?: Presence;
  /** The server. */
  server: string;
  /** Whether its phone can be reached. */
  status: UserState;
}

/** Whether a phone can be reached. */
export type UserState = "online" | "offline";

/** `userStatus`: whether an extension's phone can be reached. */
export interface UserStatusEvent {
  /** Where its contact is, if Asterisk told. */
  address?: string;
  /** Scope: the extension concerned. */
  agent?: string;
  /** The device, like `PJSIP/201`. */
  device: string;
  event: "userStatus";
  /** The number in the event stream. */
  seq: number;
  /** The Asterisk server. */
  server: string;
  /** Online means: the device state is neither unavailable nor invalid. */
  status: UserState;
  time: string;
}

/** `spy`, `whisper`, `barge`: the phone of `agent` rings, and who answers it listens. */
export interface WhisperCommand {
  action: "whisper";
  /** Who listens. */
  agent: string;
  /** Given back in the reply. */
  id?: string | number;
  /** The Asterisk server, where several could be meant. */
  server?: string;
  /** To whom: an extension, a channel or a call. */
  target: string;
}
