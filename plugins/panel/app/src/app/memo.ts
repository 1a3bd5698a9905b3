/** Components that are not drawn anew for the same properties. */

import { Component, h, type ComponentChild, type FunctionComponent } from "preact";

export function memo<P extends object>(inner: FunctionComponent<P>, same: (one: P, other: P) => boolean): FunctionComponent<P> {
  class Memo extends Component<P> {
    override shouldComponentUpdate(next: P): boolean {
      return !same(this.props, next);
    }

    override render(): ComponentChild {
      return h(inner as FunctionComponent<object>, this.props);
    }
  }
  return Memo as unknown as FunctionComponent<P>;
}
