//! A simulated call centre that speaks AMI, for demos and load.
