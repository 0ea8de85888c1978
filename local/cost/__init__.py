"""`make cost`: what a deployment costs, from measured calls, the template's resources and dated list prices."""
