/* A program that ends at once, by a C library that starts it. */
int main(void)
{
    return 0;
}
