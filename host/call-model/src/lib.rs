//! What a PBX is doing, folded from AMI, and the TelePulse language both ways.
