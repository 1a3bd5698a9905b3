// What both gateways in JavaScript share: whom an AMI event is for.
'use strict';

const extension = (name) => (name ? /^PJSIP\/(\d+)/.exec(name)?.[1] : undefined);

// The keys as each library leaves them.
const field = (event, name) => event[name] ?? event[name.toLowerCase()];

exports.agentsOf = (event) => {
  const names = ['Channel', 'DestChannel', 'Interface'].map((name) => extension(field(event, name)));
  return new Set(names.filter(Boolean));
};
