//! The modelling language: sites, plates, distributions, supports and transforms.
