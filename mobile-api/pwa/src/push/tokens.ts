// Where a push token comes from. The app registers whatever token this gives and knows
// nothing else of the push service.

export interface PushTokens {
  /** issue gives the registration token of this device; it may ask the push service. */
  issue(device: string): Promise<string>;
  /** revoke makes the token useless, as far as the push service allows. */
  revoke(device: string): Promise<void>;
}
