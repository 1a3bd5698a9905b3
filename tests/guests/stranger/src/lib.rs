//! Wants a function that no host has.

wit_bindgen::generate!({
    inline: "
        package test:stranger;
        interface wishes { launch: func(); }
        interface lifecycle-like { go: func(); }
        world guest {
            import wishes;
            export lifecycle-like;
        }
    ",
    world: "test:stranger/guest",
});

struct Stranger;

impl exports::test::stranger::lifecycle_like::Guest for Stranger {
    fn go() {
        test::stranger::wishes::launch();
    }
}

export!(Stranger);
